package tokenizer

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/nikolalohinski/gonja/v2/builtins"
	statements "github.com/nikolalohinski/gonja/v2/builtins/control_structures"
	"github.com/nikolalohinski/gonja/v2/config"
	"github.com/nikolalohinski/gonja/v2/exec"
	"github.com/nikolalohinski/gonja/v2/loaders"
	"github.com/nikolalohinski/gonja/v2/nodes"
	"github.com/nikolalohinski/gonja/v2/parser"
)

// A template comes with the model files, so it is not trusted: it reads no other files, and what it does is bounded.
const (
	maxTemplate      = 1 << 16 // bytes of source; real templates have up to 20 thousand
	maxBrackets      = 1000    // brackets open at once; the parser takes 7 KB of stack for each, and Go has no way out
	maxMacroDepth    = 64      // macros within macros
	maxTemplateSteps = 1 << 18 // statements executed and numbers in ranges
)

// openBrackets returns how many brackets are open at most, strings and text included, so it may count too many; brackets
// hidden from it take more of the source than is dangerous.
func openBrackets(source string) int {
	open, most := 0, 0
	for i := range len(source) {
		switch source[i] {
		case '(', '[', '{':
			open++
			most = max(most, open)
		case ')', ']', '}':
			open = max(0, open-1)
		}
	}
	return most
}

const templateName = "chat_template"

// templateConfig is how the transformers library sets the language up.
var templateConfig = func() *config.Config {
	c := config.New()
	c.TrimBlocks, c.LeftStripBlocks = true, true
	return c
}()

// sourceLoader holds the one template there is.
type sourceLoader string

func (l sourceLoader) Read(path string) (io.Reader, error) {
	if path != templateName {
		return nil, fmt.Errorf("chat templates can't read %q", path)
	}
	return strings.NewReader(string(l)), nil
}

func (l sourceLoader) Resolve(path string) (string, error)    { return path, nil }
func (l sourceLoader) Inherit(string) (loaders.Loader, error) { return l, nil }

// templateEnvironment is the language without what reads other templates. Filters and methods are added for each
// rendering.
var templateEnvironment = &exec.Environment{
	Context:           templateGlobals(),
	Tests:             builtins.Tests,
	ControlStructures: templateStatements(),
}

func templateGlobals() *exec.Context {
	ctx := exec.EmptyContext()
	for _, name := range []string{"dict", "namespace"} {
		f, ok := builtins.GlobalFunctions.Get(name)
		if !ok {
			panic(fmt.Sprintf("tokenizer: the template engine has no function %q", name))
		}
		ctx.Set(name, f)
	}
	ctx.Set("range", templateRange)
	return ctx
}

func templateStatements() *exec.ControlStructureSet {
	set := map[string]parser.ControlStructureParser{}
	for _, name := range []string{
		"break", "call", "continue", "do", "filter", "for", "if", "macro", "raw", "set", "with",
	} {
		parse, ok := builtins.ControlStructures.Get(name)
		if !ok {
			panic(fmt.Sprintf("tokenizer: the template engine has no statement %q", name))
		}
		set[name] = func(p, args *parser.Parser) (nodes.ControlStructure, error) {
			node, err := parse(p, args)
			if err != nil {
				return nil, err
			}
			s, ok := node.(exec.ControlStructure)
			if !ok {
				return node, nil
			}
			return &statement{s, name}, nil
		}
	}
	return exec.NewControlStructureSet(set)
}

// Templates see their effort under a name that no expression can spell.
const effortName = " effort"

func effortOf(env *exec.Environment) *effort {
	if v, ok := env.Context.Get(effortName); ok {
		return v.(*effort)
	}
	return &effort{} // while parsing
}

var (
	errTemplateSteps  = fmt.Errorf("more than %d steps", maxTemplateSteps)
	errTemplateMacros = fmt.Errorf("macros nested deeper than %d", maxMacroDepth)
)

// statement counts the executions of a statement.
type statement struct {
	exec.ControlStructure
	name string
}

func (s *statement) Execute(r *exec.Renderer, block *nodes.ControlStructureBlock) error {
	e := effortOf(r.Environment)
	if e.steps++; e.steps > maxTemplateSteps {
		return e.fail(errTemplateSteps)
	}
	if s.name == "call" && !callsMacro(r, s.ControlStructure) {
		return e.fail(errors.New("a call statement calls a macro"))
	}
	before := e.loops
	defer func() { // what a loop went over is free again
		e.memory += e.loops - before
		e.loops = before
	}()
	if err := s.ControlStructure.Execute(r, block); err != nil || s.name != "macro" {
		return err
	}
	// The statement has put the macro's function into the context; count its calls, too.
	macro, ok := s.ControlStructure.(*statements.MacroControlStructure)
	if !ok {
		return fmt.Errorf("%T is not a macro", s.ControlStructure)
	}
	v, _ := r.Environment.Context.Get(macro.Name)
	call, ok := v.(exec.Macro)
	if !ok {
		return fmt.Errorf("macro %q is a %T", macro.Name, v)
	}
	r.Environment.Context.Set(macro.Name, exec.Macro(func(args *exec.VarArgs) *exec.Value {
		if e.depth++; e.depth > maxMacroDepth {
			return exec.AsValue(e.fail(errTemplateMacros))
		}
		defer func() { e.depth-- }()
		return call(args)
	}))
	return nil
}

// callsMacro says whether a call statement's function is a macro: what others return would be printed unmeasured.
func callsMacro(r *exec.Renderer, s exec.ControlStructure) bool {
	call, ok := s.(*statements.CallControlStructure)
	if !ok {
		return false
	}
	name, ok := call.Call.Func.(*nodes.Name)
	if !ok {
		return false
	}
	f, _ := r.Environment.Context.Get(name.Name.Val)
	_, ok = f.(exec.Macro)
	return ok
}

// templateRange is range with its length counted as steps.
func templateRange(e *exec.Evaluator, args *exec.VarArgs) ([]int, error) {
	from, to, step := 0, 0, 1
	var n [3]int
	if len(args.Args) < 1 || len(args.Args) > 3 || len(args.KwArgs) > 0 {
		return nil, errors.New("range takes one to three whole numbers")
	}
	for i, a := range args.Args {
		if !a.IsInteger() {
			return nil, errors.New("range takes whole numbers")
		}
		n[i] = a.Integer()
	}
	switch len(args.Args) {
	case 1:
		to = n[0]
	case 2:
		from, to = n[0], n[1]
	case 3:
		from, to, step = n[0], n[1], n[2]
	}
	if step == 0 {
		return nil, errors.New("range has step 0")
	}
	used := effortOf(e.Environment)
	list := []int{}
	for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
		if used.steps++; used.steps > maxTemplateSteps {
			return nil, used.fail(errTemplateSteps)
		}
		list = append(list, i)
	}
	return list, nil
}

// strftime formats t by the directives of Python's strftime that templates use.
func strftime(t time.Time, format string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			b.WriteByte(format[i])
			continue
		}
		if i++; i == len(format) {
			return "", fmt.Errorf("strftime_now(%q): %% at the end", format)
		}
		if format[i] == '%' {
			b.WriteByte('%')
			continue
		}
		if format[i] == 'j' {
			fmt.Fprintf(&b, "%03d", t.YearDay())
			continue
		}
		layout, ok := strftimeLayouts[format[i]]
		if !ok {
			return "", fmt.Errorf("strftime_now(%q): %%%c is not supported", format, format[i])
		}
		b.WriteString(t.Format(layout))
	}
	return b.String(), nil
}

var strftimeLayouts = map[byte]string{
	'a': "Mon", 'A': "Monday", 'b': "Jan", 'B': "January", 'd': "02", 'm': "01", 'y': "06", 'Y': "2006",
	'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM", 'Z': "MST", 'z': "-0700",
	'F': "2006-01-02", 'T': "15:04:05", 'D': "01/02/06",
}
