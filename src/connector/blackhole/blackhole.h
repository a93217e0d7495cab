/* blackhole.h - the blackhole connector for the registry. */
#ifndef LEAT_CONNECTOR_BLACKHOLE_BLACKHOLE_H
#define LEAT_CONNECTOR_BLACKHOLE_BLACKHOLE_H

#include "plugin/connector.h"

extern const struct connector_class CONNECTOR_BLACKHOLE;

#endif
