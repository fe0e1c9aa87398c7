// Package commands is what a program of many commands needs whatever they do: groups of
// commands, words for names that do not exist, exit statuses, completion, flags that are
// set from a preset and told to another process. It knows no command by name.
package commands
