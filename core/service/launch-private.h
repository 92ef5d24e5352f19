/* What a launch is made of, for the files that make and write launches. */
#ifndef C9_SERVICE_LAUNCH_PRIVATE_H
#define C9_SERVICE_LAUNCH_PRIVATE_H

#include "service/launch.h"

/* What a launch points to is owned by this. */
struct launch_whole {
    struct launch launch;
    struct launch_skill *skills;
    json_t *sources;          /* array of {"source","manifest"}: skills point into it */
    json_t *execution_config; /* the policies point into it */
    json_t *input_document, *output_document; /* of the schemas; NULL: anything */
    char *agent_name, *version, *context;
};

#endif
