/* build.c - from a plan to tasks: which nodes share one, their edges, gates and exchanges; then
 * every operator is opened.
 *
 * Nodes joined by edges without exchange are one chain; a chain of parallelism P becomes P tasks,
 * each with one operator of every node. A PLAN_EXCHANGE node makes no operator: it is a property of
 * the edge through it. Between two chains of one subtask each it is no exchange at all, and the two
 * are one chain.
 */
#include "runtime/runtime_int.h"

#define PARALLELISM_MAX KEY_GROUP_COUNT
#define BLOB_MAX        ((size_t)1 << 28) /* of an operator's state beside its keyed one */

struct chain {
    uint32_t parallelism;
    uint32_t first_task;
    uint32_t node_count; /* operators of each of its tasks */
    uint32_t gate_count;
};

struct builder {
    struct job *job;
    const struct plan *plan;
    uint32_t *root;       /* union-find over node ids */
    uint32_t *slot;       /* node id -> place in its task */
    struct chain *chains; /* by root node id */
};

struct input { /* input i of a node, looked at through an exchange */
    const struct plan_node *from;
    uint32_t output;
    const struct plan_node *exchange; /* NULL: same chain */
};

static struct input input_of(const struct plan_node *node, uint32_t i)
{
    struct input input = {node->inputs[i], node->input_outputs ? node->input_outputs[i] : 0, NULL};
    if (input.from->op != PLAN_EXCHANGE)
        return input;
    const struct plan_node *exchange = input.from;
    input.from = exchange->inputs[0];
    input.output = exchange->input_outputs ? exchange->input_outputs[0] : 0;
    if (input.from->parallelism > 1 || node->parallelism > 1)
        input.exchange = exchange;
    return input;
}

static uint32_t find_root(struct builder *builder, uint32_t id)
{
    while (builder->root[id] != id)
        id = builder->root[id] = builder->root[builder->root[id]];
    return id;
}

static struct chain *chain_of(struct builder *builder, const struct plan_node *node)
{
    return &builder->chains[find_root(builder, node->id)];
}

static struct operator_host *host_at(struct builder *builder, const struct plan_node *node,
                                     uint32_t subtask)
{
    struct task *task = &builder->job->tasks[chain_of(builder, node)->first_task + subtask];
    return &task->hosts[builder->slot[node->id]];
}

static enum status plan_error(const struct plan_node *node, const char *what, struct error *err)
{
    return error_set(err, ERR_UNSUPPORTED, "the plan's node %u %s", node->id, what);
}

/* ---- chains ---- */

static enum status join_chains(struct builder *builder, struct error *err)
{
    const struct plan *plan = builder->plan;
    for (uint32_t n = 0; n < plan->node_count; n++) {
        const struct plan_node *node = plan->nodes[n];
        must(node->id == n);
        builder->root[n] = n;
        if (node->parallelism == 0 || node->parallelism > PARALLELISM_MAX)
            return error_set(err, ERR_RANGE, "a parallelism of %u: it must be 1 to %u",
                             node->parallelism, PARALLELISM_MAX);
        for (uint32_t i = 0; i < node->input_count && node->op != PLAN_EXCHANGE; i++) {
            struct input input = input_of(node, i);
            if (input.from->op == PLAN_EXCHANGE)
                return plan_error(node, "reads an exchange over an exchange", err);
            if (input.exchange)
                continue;
            if (input.from->parallelism != node->parallelism)
                return plan_error(node, "has another parallelism than its input", err);
            builder->root[find_root(builder, n)] = find_root(builder, input.from->id);
        }
    }
    return OK;
}

static void measure_chains(struct builder *builder)
{
    struct job *job = builder->job;
    for (uint32_t n = 0; n < builder->plan->node_count; n++) {
        const struct plan_node *node = builder->plan->nodes[n];
        if (node->op == PLAN_EXCHANGE)
            continue;
        struct chain *chain = chain_of(builder, node);
        if (chain->node_count == 0) {
            chain->parallelism = node->parallelism;
            chain->first_task = job->task_count;
            job->task_count += chain->parallelism;
        }
        builder->slot[n] = chain->node_count++;
        for (uint32_t i = 0; i < node->input_count; i++) {
            struct input input = input_of(node, i);
            chain->gate_count += input.exchange != NULL;
            if (input.exchange)
                job->exchange_count += input.from->parallelism;
        }
    }
}

/* ---- memory ---- */

static enum status alloc_array(void *out, size_t count, size_t size, struct error *err)
{
    void *memory = mem_calloc(count ? count : 1, size);
    if (!memory)
        return error_memory(err, "tasks of a job", count * size);
    memcpy(out, &memory, sizeof(memory));
    return OK;
}

static void wake_host(struct wake *wake)
{
    task_wake(container_of(wake, struct operator_host, wake)->task);
}

static void init_operator(struct builder *builder, struct task *task, struct operator_host *host,
                          const struct plan_node *node)
{
    struct job *job = builder->job;
    struct operator* op = & host->op;
    uint32_t parallelism = node->parallelism;
    host->task = task;
    host->wake.notify = wake_host;
    host->due_watermark_us = host->watermark_us = WATERMARK_NONE;
    host->timer_us = INT64_MAX;
    op->node = node;
    op->class = operator_class_for(node->op);
    op->subtask = task->subtask;
    op->parallelism = parallelism;
    op->first_key_group = (task->subtask * KEY_GROUP_COUNT + parallelism - 1) / parallelism;
    op->last_key_group =
        ((task->subtask + 1) * KEY_GROUP_COUNT + parallelism - 1) / parallelism - 1;
    op->port_count = node->input_count;
    op->host = host;
    op->context = job->request.context;
    buf_init(&host->blob, BLOB_MAX);
    op->eval.zone = op->context->zone ? op->context->zone : job->own_zone;
    op->eval.watermark_us = WATERMARK_NONE;
    struct io *io = job->runtime->settings.io;
    io->ops->random(io, &op->eval.random_state, sizeof(op->eval.random_state));
    op->eval.now_us = io_wall_us(io);
    op->steady_us = io_monotonic_us(io);
    metric_set(&op->metrics.watermark_us, WATERMARK_NONE);
    metric_set(&op->metrics.next_timer_us, WATERMARK_MAX);
    const char *name = node->state_name ? node->state_name
                       : op->class      ? op->class->name
                                        : "operator";
    mem_owner_init(&op->owner, &job->owner, name);
    op->owner.leaves_room = true;
}

static enum status make_tasks(struct builder *builder, struct error *err)
{
    struct job *job = builder->job;
    TRY(alloc_array(&job->tasks, job->task_count, sizeof(struct task), err));
    for (uint32_t t = 0; t < job->task_count; t++) {
        mutex_init(&job->tasks[t].step_lock);
        job->tasks[t].job = job;
        job->tasks[t].timer_us = INT64_MAX;
        atomic_init(&job->tasks[t].run, TASK_WOKEN);
        atomic_init(&job->tasks[t].epoch, atomic_load(&job->epoch));
    }
    TRY(alloc_array(&job->exchanges, job->exchange_count, sizeof(struct exchange), err));
    TRY(alloc_array(&job->shared, builder->plan->node_count, sizeof(void *), err));
    for (uint32_t n = 0; n < builder->plan->node_count; n++) {
        const struct plan_node *node = builder->plan->nodes[n];
        if (node->op == PLAN_EXCHANGE)
            continue;
        struct chain *chain = chain_of(builder, node);
        for (uint32_t s = 0; s < chain->parallelism; s++) {
            struct task *task = &job->tasks[chain->first_task + s];
            task->subtask = s;
            if (!task->hosts) {
                TRY(alloc_array(&task->hosts, chain->node_count, sizeof(struct operator_host),
                                err));
                TRY(alloc_array(&task->gates, chain->gate_count, sizeof(struct gate), err));
            }
            struct operator_host *host = &task->hosts[task->host_count++];
            init_operator(builder, task, host, node);
            TRY(watermarks_init(&host->ports, node->input_count, err));
            TRY(alloc_array(&host->inputs, node->input_count, sizeof(struct edge *), err));
        }
    }
    return OK;
}

/* ---- edges ---- */

static void count_readers(struct builder *builder, uint32_t *readers)
{
    for (uint32_t n = 0; n < builder->plan->node_count; n++)
        for (uint32_t i = 0; i < builder->plan->nodes[n]->input_count; i++)
            if (builder->plan->nodes[n]->op != PLAN_EXCHANGE)
                readers[input_of(builder->plan->nodes[n], i).from->id]++;
}

static enum status make_gate(struct builder *builder, const struct plan_node *node, uint32_t port,
                             uint32_t subtask, uint32_t senders, struct gate **out,
                             struct error *err)
{
    struct operator_host *host = host_at(builder, node, subtask);
    struct task *task = host->task;
    struct gate *gate = &task->gates[task->gate_count++];
    TRY(gate_init(gate, senders, builder->job->runtime->settings.queue_bytes, err));
    gate->task = task;
    gate->target = host;
    gate->port = port;
    *out = gate;
    return OK;
}

/* Input i of node comes over an exchange: a gate per receiver, an exchange per sender. */
static enum status connect_exchange(struct builder *builder, const struct plan_node *node,
                                    uint32_t port, const struct input *input,
                                    uint32_t *exchange_number, struct error *err)
{
    uint32_t receivers = node->parallelism, senders = input->from->parallelism;
    uint32_t first = *exchange_number;
    for (uint32_t s = 0; s < senders; s++) {
        struct exchange *exchange = &builder->job->exchanges[(*exchange_number)++];
        struct operator_host *from = host_at(builder, input->from, s);
        TRY(exchange_init(exchange, input->exchange, receivers, s, err));
        from->edges[from->edge_count++] =
            (struct edge){.output = input->output, .exchange = exchange};
    }
    for (uint32_t r = 0; r < receivers; r++) {
        struct gate *gate;
        TRY(make_gate(builder, node, port, r, senders, &gate, err));
        for (uint32_t s = 0; s < senders; s++) {
            gate->channels[s].sender = host_at(builder, input->from, s)->task;
            builder->job->exchanges[first + s].gates[r] = gate;
        }
    }
    return OK;
}

static enum status connect_all(struct builder *builder, struct error *err)
{
    uint32_t exchange_number = 0, *readers = NULL;
    const struct plan *plan = builder->plan;
    TRY(alloc_array(&readers, plan->node_count, sizeof(uint32_t), err));
    count_readers(builder, readers);
    enum status status = OK;
    for (uint32_t n = 0; n < plan->node_count && status == OK; n++) {
        const struct plan_node *node = plan->nodes[n];
        for (uint32_t s = 0; s < node->parallelism && status == OK; s++)
            if (node->op != PLAN_EXCHANGE)
                status = alloc_array(&host_at(builder, node, s)->edges, readers[n],
                                     sizeof(struct edge), err);
    }
    mem_free(readers);
    TRY(status);
    for (uint32_t n = 0; n < plan->node_count; n++) {
        const struct plan_node *node = plan->nodes[n];
        for (uint32_t i = 0; i < node->input_count && node->op != PLAN_EXCHANGE; i++) {
            struct input input = input_of(node, i);
            if (input.exchange) {
                TRY(connect_exchange(builder, node, i, &input, &exchange_number, err));
                continue;
            }
            for (uint32_t s = 0; s < node->parallelism; s++) {
                struct operator_host *from = host_at(builder, input.from, s);
                struct operator_host *to = host_at(builder, node, s);
                struct edge *edge = &from->edges[from->edge_count++];
                *edge = (struct edge){.output = input.output, .target = to, .port = i};
                to->inputs[to->input_count++] = edge;
            }
        }
    }
    return OK;
}

/* ---- opening ---- */

/* What the operator knew of the watermark counts before any comes. */
static void take_watermark(struct operator_host *host)
{
    int64_t watermark_us = host->op.eval.watermark_us;
    if (watermark_us == WATERMARK_NONE)
        return;
    host->due_watermark_us = host->watermark_us = host->ports.combined_us = watermark_us;
    for (uint32_t i = 0; i < host->ports.count; i++)
        host->ports.inputs[i].watermark_us = watermark_us;
}

static enum status open_operator(struct operator_host *host, struct checkpoint_reader *reader,
                                 struct error *err)
{
    struct job *job = host->task->job;
    struct operator* op = & host->op;
    const struct job_checkpoints *checkpoints = job->request.checkpoints;
    struct operator_restore restore = {.reader = reader};
    if (job->coordinator.enabled) {
        op->epoch = atomic_load(&job->epoch) + 1;
        host->operator_id = job->coordinator.ids[op->node->id].id;
    }
    op->resumes = reader != NULL;
    if (reader && op->node->state_name)
        restore.from = checkpoint_find(checkpoints->from, op->node->state_name);
    if (restore.from && restore.from->id == host->operator_id)
        op->restore = &restore;
    enum status status = op->class->open(op, err);
    op->restore = NULL;
    take_watermark(host);
    return status;
}

static enum status open_host(struct operator_host *host, struct checkpoint_reader *reader,
                             struct error *err)
{
    if (!host->op.class)
        return plan_error(host->op.node, "is of a kind that no operator is built for", err);
    must(host->op.class->size == sizeof(struct operator_class));
    host->has_poll = host->op.class->poll != NULL;
    host->task->polled_count += host->has_poll;
    host->opened = true;
    return open_operator(host, reader, err);
}

static enum status open_all(struct builder *builder, struct error *err)
{
    const struct job_checkpoints *checkpoints = builder->job->request.checkpoints;
    struct checkpoint_reader *reader = NULL;
    enum status status = OK;
    if (checkpoints && checkpoints->from)
        TRY(checkpoint_reader_new(&reader, checkpoints->store, checkpoints->from, err));
    for (uint32_t n = 0; n < builder->plan->node_count && status == OK; n++) {
        const struct plan_node *node = builder->plan->nodes[n];
        for (uint32_t s = 0; s < node->parallelism && status == OK; s++)
            if (node->op != PLAN_EXCHANGE)
                status = open_host(host_at(builder, node, s), reader, err);
    }
    checkpoint_reader_free(reader);
    return status;
}

enum status job_build(struct job *job, struct error *err)
{
    struct builder builder = {.job = job, .plan = job->request.plan};
    uint32_t count = builder.plan->node_count;
    enum status status = alloc_array(&builder.root, count, sizeof(uint32_t), err);
    if (status == OK)
        status = alloc_array(&builder.slot, count, sizeof(uint32_t), err);
    if (status == OK)
        status = alloc_array(&builder.chains, count, sizeof(struct chain), err);
    if (status == OK)
        status = join_chains(&builder, err);
    if (status == OK) {
        measure_chains(&builder);
        status = make_tasks(&builder, err);
    }
    if (status == OK)
        status = connect_all(&builder, err);
    if (status == OK)
        status = open_all(&builder, err);
    mem_free(builder.root);
    mem_free(builder.slot);
    mem_free(builder.chains);
    return status;
}

void job_unbuild(struct job *job)
{
    for (uint32_t t = 0; job->tasks && t < job->task_count; t++)
        task_close(&job->tasks[t]);
    for (uint32_t t = 0; job->tasks && t < job->task_count; t++) {
        struct task *task = &job->tasks[t];
        for (uint32_t g = 0; g < task->gate_count; g++)
            gate_fini(&task->gates[g]);
        for (uint32_t h = 0; h < task->host_count; h++) {
            struct operator_host *host = &task->hosts[h];
            for (uint32_t e = 0; e < host->edge_count; e++)
                event_queue_fini(&host->edges[e].waiting);
            watermarks_fini(&host->ports);
            buf_fini(&host->blob);
            mem_free(host->edges);
            mem_free(host->inputs);
        }
    }
    for (uint32_t e = 0; job->exchanges && e < job->exchange_count; e++)
        exchange_fini(&job->exchanges[e]);
    for (uint32_t n = 0; job->shared && n < job->request.plan->node_count; n++)
        mem_free(job->shared[n]);
    for (uint32_t t = 0; job->tasks && t < job->task_count; t++) {
        struct task *task = &job->tasks[t];
        for (uint32_t h = 0; h < task->host_count; h++)
            mem_owner_fini(&task->hosts[h].op.owner);
        mem_free(task->hosts);
        mem_free(task->gates);
        mutex_fini(&task->step_lock);
    }
    mem_free(job->tasks);
    mem_free(job->exchanges);
    mem_free(job->shared);
    job->tasks = NULL;
    job->exchanges = NULL;
    job->shared = NULL;
    job->task_count = 0;
}
