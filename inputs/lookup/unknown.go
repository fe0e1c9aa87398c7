// Package lookup is what is said where a name was asked for that nothing has: a policy, a task,
// a metric, a flag. Registries hold the names; this package knows none.
package lookup

import (
	"fmt"
	"strings"
)

// listed is how many names an error lists; more are read where they are explained.
const listed = 40

// Unknown is the error for a name that is none of have. It quotes the name, offers the one that
// is most like it, and lists all of them.
func Unknown(kind, typed string, have ...string) error {
	return unknown(kind, typed, have, "have "+strings.Join(have, ", "))
}

// UnknownOf is Unknown for a long list: where it has more than forty names, the error says how
// many, and instead of them where they are listed, such as "snapbench metrics list".
func UnknownOf(where, kind, typed string, have ...string) error {
	if len(have) <= listed {
		return Unknown(kind, typed, have...)
	}
	return unknown(kind, typed, have, fmt.Sprintf("%s has all %d", where, len(have)))
}

func unknown(kind, typed string, have []string, all string) error {
	return fmt.Errorf("unknown %s %q: %s%s", kind, typed, Offer(typed, have), all)
}

// Offer is "did you mean NAME? " for the name that a mistyped one is most like, "" where none is near.
func Offer(typed string, have []string) string {
	if near := Nearest(typed, have); near != "" {
		return "did you mean " + near + "? "
	}
	return ""
}
