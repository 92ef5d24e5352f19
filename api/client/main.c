/* c9ctl: the command line client. All of it is in the room's library, so that tests can link it. */
#include "client/command.h"

int main(int argc, char **argv)
{
    return client_main(argc, argv);
}
