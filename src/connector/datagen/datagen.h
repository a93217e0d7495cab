/* datagen.h - the datagen connector for the registry. */
#ifndef LEAT_CONNECTOR_DATAGEN_DATAGEN_H
#define LEAT_CONNECTOR_DATAGEN_DATAGEN_H

#include "plugin/connector.h"

extern const struct connector_class CONNECTOR_DATAGEN;

#endif
