package slurm

import (
	"fmt"
	"strings"
)

// option is one of sbatch's, as the user gave it.
type option struct {
	name  string // without hyphens
	words []string
}

// directive is the option on a line of #SBATCH.
func (o option) directive() string {
	var list []string
	for _, w := range o.words {
		list = append(list, directive(w))
	}
	return strings.Join(list, " ")
}

// refused are options that would break what the rest of a run relies on, with why.
var refused = []struct{ name, short, reason string }{
	{"array", "a", "the parts are the array: --shards says how many, --at-once how many at the same time"},
	{"job-name", "J", "a run's jobs have the name of its folder, by which they are known again"},
	{"output", "o", "logs lie beside the results"},
	{"error", "e", "logs lie beside the results"},
	{"open-mode", "", "a part that is started again goes on in its log"},
	{"requeue", "", "parts are always queued again when their node dies"},
	{"no-requeue", "", "parts are always queued again when their node dies"},
	{"signal", "", "the script has a signal of its own before the time limit"},
	{"wrap", "", "the script is made here"},
	{"wait", "W", "the parts are followed here, unless --detach is given"},
	{"parsable", "", "what sbatch prints is read here"},
	{"test-only", "", "nothing would be submitted: --print shows what would be"},
	{"clusters", "M", "set SLURM_CLUSTERS, which every command of Slurm reads"},
}

// parseOptions takes the user's arguments apart: an argument that begins with a hyphen is
// an option, and one that does not is the value of the option before.
func parseOptions(args []string) (list []option, err error) {
	for _, arg := range args {
		if err := plain("engine argument", arg); err != nil {
			return nil, err
		}
		name, long := strings.CutPrefix(arg, "--")
		switch {
		case long && name != "":
			name, _, _ = strings.Cut(name, "=")
		case len(arg) > 1 && arg[0] == '-' && !long:
			name = arg[1:2]
		case len(list) > 0 && len(list[len(list)-1].words) == 1 && arg != "" && arg[0] != '-':
			last := &list[len(list)-1]
			last.words = append(last.words, arg)
			continue
		default:
			return nil, fmt.Errorf("engine argument %q: want an option of sbatch, such as --partition=gpu", arg)
		}
		for _, r := range refused {
			// sbatch takes any beginning of an option's name that is not that of another.
			if long && strings.HasPrefix(r.name, name) || !long && name == r.short {
				return nil, fmt.Errorf("engine argument %q: not --%s: %s", arg, r.name, r.reason)
			}
		}
		list = append(list, option{name, []string{arg}})
	}
	return list, nil
}

// selecting are the options that say on which nodes, and on whose account, something runs.
var selecting = []string{"partition", "p", "constraint", "C", "account", "A", "qos", "q", "nodelist", "w", "exclude", "x", "reservation"}
