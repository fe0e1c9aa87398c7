package metrics

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/snapbench/snapbench/inputs"
	"github.com/snapbench/snapbench/inputs/words"
)

// commandVersion is the version of the lines that a grading program reads and writes. They
// name it, and so do rows.
const commandVersion = 1

// Bounds on what a grading program may do and be.
const (
	mostGrade   = 64 << 10 // bytes that it may print
	mostProgram = 64 << 20 // bytes of a file whose digest is its identity
)

// patience is how long a program may take for one row.
var patience = 60 * time.Second

// command is a program of the user's own that grades: it is started once for each row, so
// that what fails for one fails for no other.
type command struct {
	text   string // as the user wrote it
	path   string
	args   []string
	files  []stamped
	digest string
}

// stamped is a file that is part of the program.
type stamped struct {
	path     string
	size     int64
	modified time.Time
}

var commands = struct {
	sync.Mutex
	made map[string]Scorer // by text, and by the scorer's name
}{made: map[string]Scorer{}}

// openCommand makes a scorer of a program. Its name has the program's digest in it, so that
// rows that another version of the program graded are told apart.
func openCommand(text string) (Scorer, error) {
	commands.Lock()
	defer commands.Unlock()
	if s, ok := commands.made[text]; ok {
		return s, nil
	}
	// A scorer's name, in another process or on another machine: the program has to be the same.
	plain, want, named := cutDigest(text)
	c, err := newCommand(plain)
	if err == nil && named && c.digest[:digestDigits] != want {
		err = fmt.Errorf("%q is another program here: its sha256 begins with %s, not with %s", plain, c.digest[:digestDigits], want)
	}
	if err != nil {
		return Scorer{}, fmt.Errorf("metric command: %w", err)
	}
	full := plain + digestMark + c.digest[:digestDigits]
	s := Scorer{
		Name: "command:" + full, Version: commandVersion, Free: true,
		About: "what a program says", Definition: CommandDefinition, Score: c.score,
	}
	commands.made[text], commands.made[full] = s, s
	return s, nil
}

// A scorer's name ends with digits of the program's digest.
const (
	digestMark   = " sha256:"
	digestDigits = 12
)

// cutDigest takes the digest off a scorer's name.
func cutDigest(text string) (plain, digest string, ok bool) {
	i := strings.LastIndex(text, digestMark)
	if i < 0 || len(text)-i-len(digestMark) != digestDigits {
		return text, "", false
	}
	return text[:i], text[i+len(digestMark):], true
}

// CommandDefinition says what a program that grades has to do.
const CommandDefinition = "PROGRAM, with its arguments, is started for each row. It reads one line of JSON from standard input, " +
	`{"version": 1, "sample": "7", "prompt": "…", "prediction": "…", "answers": ["…"], "classes": ["…"]}, and prints one line: ` +
	`a number from 0 to 1, or {"score": 0.5}, or {"error": "why there is none"}. A row is an error that names the program where ` +
	"it prints anything else, ends with another status than 0, or takes more than 60 seconds; one that is killed by a signal is started " +
	"a second time. The row's metric has a digest of " +
	"the program's file, and of the files among its arguments; what these load is not in it."

func newCommand(text string) (*command, error) {
	list, err := words.Split(text)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", text, err)
	}
	if len(list) == 0 {
		return nil, errors.New("which program? command:PROGRAM, such as command:./grade or 'command:python3 grade.py'")
	}
	c := &command{text: text, args: list[1:]}
	if c.path, err = exec.LookPath(list[0]); err != nil {
		return nil, fmt.Errorf("%q: %w", list[0], err)
	}
	h := sha256.New()
	for i, word := range list {
		fmt.Fprintf(h, "%d:%s,", len(word), word)
		path := word
		if i == 0 {
			path = c.path
		} else if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			continue // an argument that is no file
		}
		if err := c.add(h, path); err != nil {
			return nil, err
		}
	}
	c.digest = hex.EncodeToString(h.Sum(nil))
	return c, nil
}

// add makes a file part of the program's identity.
func (c *command) add(h io.Writer, path string) error {
	f, err := inputs.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() > mostProgram {
		return fmt.Errorf("%s: %d bytes: at most %d, since a digest of it stands in every row", path, info.Size(), mostProgram)
	}
	fmt.Fprintf(h, "%d:", info.Size())
	if _, err := io.Copy(h, io.LimitReader(f, mostProgram)); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	c.files = append(c.files, stamped{path, info.Size(), info.ModTime()})
	return nil
}

// row is what the program reads.
type row struct {
	Version    int      `json:"version"`
	Sample     string   `json:"sample"`
	Prompt     string   `json:"prompt"`
	Prediction string   `json:"prediction"`
	Answers    []string `json:"answers"`
	Classes    []string `json:"classes,omitempty"`
}

func (c *command) score(prediction string, ref Reference) (float64, error) {
	for _, f := range c.files { // rows name the digest of what it was
		if info, err := os.Stat(f.path); err != nil || info.Size() != f.size || !info.ModTime().Equal(f.modified) {
			return 0, fmt.Errorf("%s has changed since the run began: begin another one", f.path)
		}
	}
	answers := ref.Answers
	if answers == nil {
		answers = []string{}
	}
	line, err := json.Marshal(row{commandVersion, ref.Sample, ref.Prompt, prediction, answers, ref.Classes})
	if err != nil {
		return 0, err
	}
	score, err := c.run(append(line, '\n'))
	if killed(err) { // as all processes of a job are when that ends: it says nothing of the row
		score, err = c.run(append(line, '\n'))
	}
	if err != nil {
		return 0, &ProgramError{fmt.Errorf("%s: %w", c.text, err)}
	}
	return score, nil
}

// ProgramError is an error of a program that grades: of its run, which another run may not have, more often than of the row.
type ProgramError struct{ Err error }

func (e *ProgramError) Error() string { return e.Err.Error() }

// Unwrap returns what went wrong.
func (e *ProgramError) Unwrap() error { return e.Err }

// run starts the program for a line.
func (c *command) run(line []byte) (float64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	program := exec.CommandContext(ctx, c.path, c.args...)
	alone(program)
	var out, told limited
	program.Stdin, program.Stdout, program.Stderr = bytes.NewReader(line), &out, &told
	program.WaitDelay = time.Second // for what it started and left holding its output
	err := program.Run()
	switch {
	case err != nil && ctx.Err() != nil:
		return 0, fmt.Errorf("no score within %v", patience)
	case err != nil:
		return 0, fmt.Errorf("%w%s", err, told.last())
	case out.more:
		return 0, fmt.Errorf("more than %d bytes for one row: %.80q…", mostGrade, out.kept)
	}
	return parseGrade(out.kept)
}

// parseGrade reads what a program printed for one row.
func parseGrade(out []byte) (float64, error) {
	text := strings.TrimSpace(string(out))
	switch {
	case text == "":
		return 0, errors.New("it printed nothing: want a line with a number from 0 to 1")
	case strings.Contains(text, "\n"):
		return 0, fmt.Errorf("it printed %d lines for one row: %.80q", strings.Count(text, "\n")+1, text)
	}
	number := text
	if strings.HasPrefix(text, "{") {
		var grade struct {
			Score *json.Number `json:"score"`
			Error string       `json:"error"`
		}
		switch err := json.Unmarshal([]byte(text), &grade); {
		case err != nil:
			return 0, fmt.Errorf("it printed %.80q: %w", text, err)
		case grade.Error != "":
			return 0, errors.New(grade.Error)
		case grade.Score == nil:
			return 0, fmt.Errorf(`it printed %.80q: want {"score": …} or {"error": "…"}`, text)
		}
		number = grade.Score.String()
	}
	score, err := strconv.ParseFloat(number, 64)
	if err != nil || !(score >= 0 && score <= 1) { // "nan" is neither
		return 0, fmt.Errorf("it printed %.80q: want a number from 0 to 1", text)
	}
	return score, nil
}

// limited keeps the first bytes that are written.
type limited struct {
	kept []byte
	more bool
}

func (l *limited) Write(p []byte) (int, error) {
	room := mostGrade - len(l.kept)
	l.more = l.more || len(p) > room
	l.kept = append(l.kept, p[:min(room, len(p))]...)
	return len(p), nil
}

// last is the last line, for an error.
func (l *limited) last() string {
	text := strings.TrimSpace(string(l.kept))
	if text == "" {
		return ""
	}
	return fmt.Sprintf(": %.200s", text[strings.LastIndexByte(text, '\n')+1:])
}
