/* vec_int.h - shared by vec*.c only. */
#ifndef LEAT_DATA_VEC_INT_H
#define LEAT_DATA_VEC_INT_H

#include "data/vec.h"

/* Take references to all string buffers of src, so that its views may be copied as they are. False:
 * there is no place for them, the bytes have to be copied. */
bool vec_share_strings(struct vec *dest, const struct vec *src);

/* Drop all string buffers but one of vec's own that nobody else holds, which is filled anew. */
void vec_recycle_strings(struct vec *vec);

#endif
