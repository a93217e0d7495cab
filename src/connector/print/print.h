/* print.h - the print connector for the registry. */
#ifndef LEAT_CONNECTOR_PRINT_PRINT_H
#define LEAT_CONNECTOR_PRINT_PRINT_H

#include "plugin/connector.h"

extern const struct connector_class CONNECTOR_PRINT;

#endif
