/*
 * commands: what main dispatches to. Each takes its own arguments (argv[0] is the command's name)
 * and returns the exit status.
 */
#ifndef MVSWAP_CLI_COMMANDS_H
#define MVSWAP_CLI_COMMANDS_H

enum exit_status { EXIT_OK = 0, EXIT_ERROR = 1, EXIT_USAGE = 2 };

int cmd_proxy(int argc, char **argv);
int cmd_replace(int argc, char **argv);
int cmd_plan(int argc, char **argv);
int cmd_rollback(int argc, char **argv);
int cmd_leftovers(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_check_config(int argc, char **argv);
int cmd_settings(int argc, char **argv);

#endif
