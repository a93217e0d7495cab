/* jdbc.h - the jdbc connector for the registry: tables of a SQLite file. */
#ifndef LEAT_CONNECTOR_JDBC_JDBC_H
#define LEAT_CONNECTOR_JDBC_JDBC_H

#include "plugin/connector.h"

extern const struct connector_class CONNECTOR_JDBC;

#endif
