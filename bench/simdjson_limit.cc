/* simdjson_limit.cc - what simdjson alone does on this machine: one parser over newline-separated
 * orders in memory (iterate_many), two fields read and summed, built for this very processor. The
 * limit that bench/json_decode is held against. */
#undef SIMDJSON_THREADS_ENABLED /* stage 1 of the next batch would run on a second thread */
#include <sched.h>
#include <simdjson.h>

#include "orders.h"

int main()
{
    const uint32_t count = 200000;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    sched_setaffinity(0, sizeof(one), &one);
    std::string text;
    double want = 0;
    size_t cards = 0;
    for (uint32_t i = 0; i < count; i++) {
        char line[ORDER_BYTES_MAX];
        struct order order = order_make(i);
        text.append(line, order_json(&order, line));
        text += '\n';
        want += order.amount_cents / 100.0;
        cards += strlen(ORDER_CARDS[order.card]);
    }
    text.reserve(text.size() + simdjson::SIMDJSON_PADDING);
    simdjson::ondemand::parser parser;
    double best = 1e9;
    for (int round = 0; round < 11; round++) {
        double start = cpu_seconds(), sum = 0;
        size_t letters = 0;
        simdjson::ondemand::document_stream stream;
        if (parser.iterate_many(text.data(), text.size(), 1 << 20).get(stream))
            return 1;
        for (auto document : stream) {
            std::string_view card;
            double amount;
            if (document["order_card_type"].get(card) || document["order_amount"].get(amount))
                return 1;
            letters += card.size();
            sum += amount;
        }
        double used = cpu_seconds() - start;
        if (letters != cards || sum < want * 0.999999 || sum > want * 1.000001) {
            fprintf(stderr, "wrong sum\n");
            return 1;
        }
        if (round && used < best)
            best = used;
    }
    printf("simdjson alone, 2 fields: %.2f million documents/s (%.2f GB/s)\n", count / best / 1e6,
           (double)text.size() / best / 1e9);
    return 0;
}
