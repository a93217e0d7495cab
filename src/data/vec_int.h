/* vec_int.h - shared by vec*.c only. */
#ifndef LEAT_DATA_VEC_INT_H
#define LEAT_DATA_VEC_INT_H

#include "data/vec.h"

/* Drop all string buffers but one of vec's own that nobody else holds, which is filled anew. */
void vec_recycle_strings(struct vec *vec);

#endif
