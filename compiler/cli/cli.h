/* cli.h - the commands: the only room that prints for people and ends the
 * program.
 */
#ifndef SLUICE_CLI_H
#define SLUICE_CLI_H

/* ---- commands: each takes its own argv (argv[0] the command's name) and
 * returns the exit code ---- */
int cmd_compile(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_generate(int argc, char **argv);
int cmd_dot(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_dis(int argc, char **argv);
int cmd_frontier(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_devices(int argc, char **argv);
int cmd_tokenize(int argc, char **argv);
int cmd_sampler(int argc, char **argv);
int cmd_calibrate(int argc, char **argv);
int cmd_table(int argc, char **argv);
int cmd_place(int argc, char **argv);

#endif
