package console

import "github.com/snapbench/snapbench/results/parts"

// Joined tells a person what a join made.
func Joined(say func(string, ...any), dir string, j parts.Joined) {
	say("%s: %d rows joined from %d attempts at parts", dir, j.Rows, j.Attempts)
	for _, w := range j.Warnings {
		say("%s", w)
	}
}
