package datasets

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Sample is one prompt, ready for a model, and how its answer is graded.
type Sample struct {
	Task        string
	TaskVersion int
	ID          string // unique within the task and protocol: samples that differ in the latter alone are pairs
	Protocol    string // rules that made the prompt; empty where the task has only one way

	// Prompt is the final text, with the chat template, and with Question's text at its
	// end.
	Prompt       string
	PromptSHA256 string // of Prompt, in hexadecimal
	// Messages are the chat that Prompt was made of, where the model takes chats as
	// they are; Prompt is the chat as JSON where no template was there to render it.
	Messages []Message
	// IDs are the tokens that are read first, of which a policy may evict any.
	IDs []int32
	// Question are the tokens that are read after compression, through the compressed
	// cache; their positions follow those of all IDs. Only the protocol kvpress and
	// the conventions context and dialogue have any.
	Question []int32
	// Truncated says that the protocol's limit shortened the prompt.
	Truncated bool

	Answers []string
	Classes []string // names that a classification may choose from
	Metric  string   // a registered scorer of package metrics
	// FirstLine says that only the prediction's first line is graded.
	FirstLine bool

	MaxNew int // most new tokens
	MinNew int // end tokens can't be chosen in the first MinNew steps
	// Among are the tokens of which the likeliest begins the answer; none: all.
	Among []int32
	// End says which of the model's own tokens end the answer. StopIDs are further tokens
	// that do (samsum's newline), and StopStrings are texts that do.
	End         End
	StopIDs     []int32
	StopStrings []string

	// Length is the row's own length field, or the tokens of the context that several questions
	// share; 0 where the task has none.
	Length int
	// Draw is the number from which a random policy draws; nil: the sample's own in its task.
	Draw *int
	// Needle is set by the needle tasks only.
	Needle *NeedleInfo
	// Marks are passages of Prompt that an audit asks about: what must be kept for the
	// answer, and what says how to give it.
	Marks []Mark
	// Note is what a reader of the row should know, such as that the haystack repeats, or
	// that the original would not have used the chat template.
	Note string
	// Err says why the sample could not be built. Then Prompt, IDs and Question
	// are empty.
	Err error
}

// End names the tokens of the model that end a text.
type End int

const (
	// EndGeneration is every end token that the model's files name, its
	// generation config first.
	EndGeneration End = iota
	// EndOfText is the tokenizer's one end-of-text token.
	EndOfText
	// EndOfTextOrTurn is the end-of-text token and a chat model's end-of-turn
	// tokens.
	EndOfTextOrTurn
)

// String returns the rule's name as reports print it.
func (e End) String() string {
	switch e {
	case EndGeneration:
		return "generation config"
	case EndOfText:
		return "end of text"
	case EndOfTextOrTurn:
		return "end of text or turn"
	}
	return fmt.Sprintf("End(%d)", int(e))
}

// NeedleInfo says what was hidden where.
type NeedleInfo struct {
	Length  int      // tokens of the prompt, as asked and exactly so
	Depth   float64  // place asked for, 0 to 100 percent of the haystack's tokens
	Trial   int      // number of the repetition, from 0
	Needles []string // the hidden sentences, the one at Depth first
	Answer  string   // the value asked for; several joined by ", "
	// Token is the position in IDs of the first token of the needle at Depth.
	Token int
	// Repeats is how often the haystack's text starts over; with 0 no passage occurs
	// twice.
	Repeats int
}

// Mark is a passage of a sample's prompt.
type Mark struct {
	Name     string // MarkValue and its like; passages of one name are one span
	From, To int    // bytes of Prompt, half-open
}

// Task is a list of samples that are built on demand. Implementations are safe
// for concurrent use.
type Task interface {
	// Name is the name it was opened by.
	Name() string
	// Version is raised by every change that could alter a prompt or a rule.
	Version() int
	// Len is the number of samples.
	Len() int
	// Digest is the SHA-256, in hexadecimal, of the rows or the text that samples are made
	// of. It tells whether data changed that is still at the same path.
	Digest() string
	// ID is sample i's ID, without building it.
	ID(i int) string
	// Size estimates sample i's prompt in tokens, without building it.
	Size(i int) int
	// Sample builds sample i for a model. It panics if i is out of range.
	Sample(i int, m Model) Sample
}

// digestOf hashes strings, each after its length, so that no two lists give the same bytes.
func digestOf(next func(yield func(string) bool)) string {
	h := sha256.New()
	for s := range next {
		fmt.Fprintf(h, "%d:", len(s))
		io.WriteString(h, s)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Options say how to open a task; the zero value of every field is its default.
type Options struct {
	// MaxNew caps the task's own number of new tokens.
	MaxNew int
	// Limit keeps only the first samples.
	Limit int
	// Metric replaces the task's own metric.
	Metric string
	// Own are the task's own options, as its Definition's Own returns them; nil for
	// their defaults.
	Own any
}

// Open opens the task of that name. Data are read and checked here, so that a
// run stops before its first prompt; the error names file and line.
func Open(name string, o Options) (Task, error) {
	d, err := Define(name)
	if err != nil {
		return nil, err
	}
	for _, f := range []struct {
		flag  string
		value int
	}{{"limit", o.Limit}, {"max-new", o.MaxNew}} {
		if f.value < 0 {
			return nil, &OptionError{fmt.Errorf("--%s %d: want 1 or more, or 0 for no limit", f.flag, f.value)}
		}
	}
	if o.Own == nil && d.Own != nil {
		o.Own = d.Own()
	}
	return d.Open(name, o)
}

// Order returns the numbers of a task's samples, longest first and otherwise in their own
// order. So a sample that does not fit the memory fails at the start, and samples of similar
// length are batched together.
func Order(t Task) []int {
	order := make([]int, t.Len())
	size := make([]int, t.Len())
	for i := range order {
		order[i], size[i] = i, t.Size(i)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(size[b], size[a]) })
	return order
}

// limited is how many of n samples remain under a limit, 0 meaning all.
func limited(n, limit int) int {
	if limit > 0 {
		return min(n, limit)
	}
	return n
}

// fail makes s a sample that could not be built.
func (s *Sample) fail(err error) {
	s.Err = fmt.Errorf("task %s, sample %s: %w", s.Task, s.ID, err)
	s.Prompt, s.Messages, s.IDs, s.Question = "", nil, nil, nil
}

// finish hashes the prompt and checks that it fits the model's context.
func (s *Sample) finish(m Model) error {
	sum := sha256.Sum256([]byte(s.Prompt))
	s.PromptSHA256 = hex.EncodeToString(sum[:])
	n := len(s.IDs) + len(s.Question)
	switch {
	case n == 0 && s.Prompt != "" && m.Text:
		// who answers counts the tokens
	case n == 0:
		return errors.New("the prompt has no tokens")
	case m.ContextLength > 0 && n > m.ContextLength:
		return fmt.Errorf("the prompt has %d tokens, the model's context %d", n, m.ContextLength)
	case m.ContextLength > 0 && n+s.MaxNew > m.ContextLength:
		s.note("%d prompt tokens and up to %d new ones pass the model's context of %d", n, s.MaxNew, m.ContextLength)
	}
	return nil
}

// note adds a remark for the reader of the row.
func (s *Sample) note(format string, args ...any) {
	if s.Note != "" {
		s.Note += "; "
	}
	s.Note += fmt.Sprintf(format, args...)
}

// capped is the number of new tokens under a cap, 0 meaning none.
func capped(n, limit int) int {
	if limit > 0 {
		return min(n, limit)
	}
	return n
}
