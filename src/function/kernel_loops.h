/* kernel_loops.h - loops over two fixed-width arguments, one per form, from one expression.
 *
 * BINARY_KERNEL(name, T, R, EXPR) makes `static void name(struct function_call *)` with EXPR over
 * x and y of type T giving R. Without a selection it runs one of three tight loops (both columns,
 * constant right, constant left) that the compiler vectorises, compiled for AVX2 beside the
 * baseline and chosen at load time; else a loop over the selected rows. SLOW_KERNEL has the last
 * one only.
 */
#ifndef LEAT_FUNCTION_KERNEL_LOOPS_H
#define LEAT_FUNCTION_KERNEL_LOOPS_H

#include "function/kernel.h"

/* Resolvers of ifuncs run before a sanitizer is ready. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__x86_64__)
#define KERNEL_CLONES
#elif defined(__has_feature)
#define KERNEL_CLONES
#else
#define KERNEL_CLONES __attribute__((target_clones("avx2", "default")))
#endif

#define SLOW_LOOP(name, T, R, EXPR)                                                                \
    static void name##_rows(struct function_call *call)                                            \
    {                                                                                              \
        const T *a = call->args[0]->values, *b = call->args[1]->values;                            \
        uint32_t mask_a = arg_mask(call->args[0]), mask_b = arg_mask(call->args[1]);               \
        R *r = call->out->values;                                                                  \
        CALL_ROWS(call, row)                                                                       \
        {                                                                                          \
            T x = a[row & mask_a], y = b[row & mask_b];                                            \
            r[row] = (R)(EXPR);                                                                    \
        }                                                                                          \
    }

#define SLOW_KERNEL(name, T, R, EXPR)                                                              \
    SLOW_LOOP(name, T, R, EXPR)                                                                    \
    static void name(struct function_call *call)                                                   \
    {                                                                                              \
        name##_rows(call);                                                                         \
    }

#define BINARY_KERNEL(name, T, R, EXPR)                                                            \
    SLOW_LOOP(name, T, R, EXPR)                                                                    \
    KERNEL_CLONES static void name##_vv(const T *restrict a, const T *restrict b, R *restrict r,   \
                                        uint32_t count)                                            \
    {                                                                                              \
        for (uint32_t i = 0; i < count; i++) {                                                     \
            T x = a[i], y = b[i];                                                                  \
            r[i] = (R)(EXPR);                                                                      \
        }                                                                                          \
    }                                                                                              \
    KERNEL_CLONES static void name##_vc(const T *restrict a, T y, R *restrict r, uint32_t count)   \
    {                                                                                              \
        for (uint32_t i = 0; i < count; i++) {                                                     \
            T x = a[i];                                                                            \
            r[i] = (R)(EXPR);                                                                      \
        }                                                                                          \
    }                                                                                              \
    KERNEL_CLONES static void name##_cv(T x, const T *restrict b, R *restrict r, uint32_t count)   \
    {                                                                                              \
        for (uint32_t i = 0; i < count; i++) {                                                     \
            T y = b[i];                                                                            \
            r[i] = (R)(EXPR);                                                                      \
        }                                                                                          \
    }                                                                                              \
    static void name(struct function_call *call)                                                   \
    {                                                                                              \
        const struct vec *a = call->args[0], *b = call->args[1];                                   \
        bool constant_a = a->form == VEC_CONSTANT, constant_b = b->form == VEC_CONSTANT;           \
        if (call->selection || (constant_a && constant_b))                                         \
            name##_rows(call);                                                                     \
        else if (constant_b)                                                                       \
            name##_vc(a->values, *(const T *)b->values, call->out->values, call->count);           \
        else if (constant_a)                                                                       \
            name##_cv(*(const T *)a->values, b->values, call->out->values, call->count);           \
        else                                                                                       \
            name##_vv(a->values, b->values, call->out->values, call->count);                       \
    }

#endif
