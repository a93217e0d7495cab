/* filesystem.h - the filesystem connector for the registry. */
#ifndef LEAT_CONNECTOR_FILESYSTEM_FILESYSTEM_H
#define LEAT_CONNECTOR_FILESYSTEM_FILESYSTEM_H

#include "plugin/connector.h"

extern const struct connector_class CONNECTOR_FILESYSTEM;

#endif
