/* A connector over any object store: rows of an object are read and written by the connector for local files of its suffix. */
#ifndef ENT_OBJECTS_CONNECTOR_H
#define ENT_OBJECTS_CONNECTOR_H
#include "object_store.h"

/* Fills the table of functions for module name; schemes as in struct ent_connector. open: the module's own, set before the first use. */
void ent_object_connector_fill(struct ent_connector *c, const char *name, const char *schemes, ent_object_open_fn open);
#endif
