// Package sshclient reaches a target through SSH, over one authenticated
// connection for all operations.
//
// When the target has this version of disnix-run-activity, or of disnix-client
// if DISNIX_REMOTE_CLIENT says so, the operations go through a session (package
// session). Otherwise, and when DISNIX_REMOTE_CLIENT names another program, each
// is one call of a program on the target with the command line of the original's
// ssh client (protocol, section 5).
//
// Host keys are verified against known_hosts. The user's ssh configuration,
// keys and agent are used, and the variables SSH_OPTS and SSH_USER; nothing is
// ever asked.
package sshclient
