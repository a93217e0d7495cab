/* group_int.h - what group.c and group_member.c share: members as data. */
#ifndef LEAT_BROKER_GROUP_INT_H
#define LEAT_BROKER_GROUP_INT_H

#include "broker/group.h"

/* In no list yet. NULL: no memory. */
struct group_member *member_new(struct group *group, struct str id, struct str instance_id,
                                struct str client_id, struct str client_host);
void member_free(struct group *group, struct group_member *member); /* out of its list before */
void member_append(struct group_member **list, struct group_member *member);
void member_unlink(struct group_member **list, struct group_member *member);
/* Copies; false (no memory): it is as it was. */
bool member_set_protocols(struct group *group, struct group_member *member,
                          const struct group_protocol *from, uint32_t count);
bool member_set_assignment(struct group *group, struct group_member *member, struct str assignment);

struct group_member *group_find_pending(const struct group *group, struct str member_id);
struct group_member *group_find_instance(const struct group *group, struct str instance_id);
const struct group_protocol *member_protocol(const struct group_member *member, struct str name);
bool group_all_support(const struct group *group, struct str name);
struct str
group_select_protocol(const struct group *group); /* data NULL: they have none in common */

#endif
