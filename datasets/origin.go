package datasets

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/snapbench/snapbench/inputs"
	"github.com/snapbench/snapbench/inputs/lookup"
)

// Origin says where a family of tasks comes from, what of it is inside the program, and what is not.
type Origin struct {
	Source  string `json:"source"`  // who published it: a repository, and its paper
	Licence string `json:"licence"` // of what is inside
	Inside  string `json:"inside"`  // "prompts, scorer"
	// Bring is what the user fetches without datasets pull, from where, and how it is named: "file F of R (licence): --flag".
	Bring string `json:"bring,omitempty"`
	// Copy is what datasets pull brings; nil: nothing.
	Copy *Copy `json:"copy,omitempty"`
}

// Copy is a user's own copy of rows that others published. They are read, and never shipped.
type Copy struct {
	Repo    string   `json:"repo"`    // dataset on the Hugging Face hub
	Files   []string `json:"files"`   // patterns of the files that are pulled, path.Match's for the whole name
	Archive string   `json:"-"`       // the one file that holds all; "": the folder does
	Licence string   `json:"licence"` // of the rows
	About   string   `json:"about"`   // which rows, how many, how large
	// Check reads every row in a folder or file, as --data names it.
	Check func(data string) (Sets, error) `json:"-"`
}

// missing is the error of a task that has no data.
func (c *Copy) missing(family, task string) error {
	return fmt.Errorf("task %s: no data: snapbench datasets pull %s brings %s (%s), --data names a folder or file that has it", task, family, c.Repo, c.Licence)
}

// checkCopies opens each task with data, and describes its files. A task without files is left out.
func checkCopies(tasks []string, files func(task string) ([]string, error), rows func(task string) (int, error)) (Sets, error) {
	list := Sets{}
	for _, task := range tasks {
		paths, err := files(task)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		n, err := rows(task)
		info := SetInfo{Set: task, File: paths[0], Rows: n, Err: err}
		if len(paths) > 1 {
			info.File = fmt.Sprintf("%s and %d more", paths[0], len(paths)-1)
		}
		if info.Bytes, info.SHA256, err = sumOf(paths); err != nil {
			return nil, err
		}
		list = append(list, info)
	}
	return list, nil
}

// sumOf hashes the bytes of files, one after the other.
func sumOf(paths []string) (size int64, sum string, err error) {
	h := sha256.New()
	for _, path := range paths {
		f, err := inputs.Open(path)
		if err != nil {
			return 0, "", err
		}
		n, err := io.Copy(h, f)
		if err := errors.Join(err, f.Close()); err != nil {
			return 0, "", fmt.Errorf("%s: %w", path, err)
		}
		size += n
	}
	return size, hex.EncodeToString(h.Sum(nil)), nil
}

// Copy is what the user brings for the family; nil: nothing.
func (d Definition) Copy() *Copy {
	if d.Origin == nil {
		return nil
	}
	return d.Origin.Copy
}

// Pullable returns the definition of a family whose rows the user brings.
func Pullable(family string) (Definition, error) {
	var have []string
	for _, d := range Definitions() {
		if d.Copy() == nil {
			continue
		}
		if d.Family == family {
			return d, nil
		}
		have = append(have, d.Family)
	}
	return Definition{}, lookup.Unknown("data set", family, have...)
}

//go:embed published.json
var publishedJSON []byte

// Published are scores of full caches that stand elsewhere: what a run can be held against.
type Published struct {
	Source  string           `json:"source"` // where they stand
	Columns []string         `json:"columns"`
	Rows    []PublishedScore `json:"rows"`
}

// PublishedScore are the scores of a model by column, 0 to 100 unless the source says otherwise, as they stand
// there ("<5"); "" where none stands.
type PublishedScore struct {
	Model  string   `json:"model"`
	Scores []string `json:"scores"`
}

var published = sync.OnceValue(func() map[string][]Published {
	var all map[string][]Published
	if err := json.Unmarshal(publishedJSON, &all); err != nil {
		panic("datasets: the embedded published scores: " + err.Error())
	}
	return all
})

// Published returns the tables of published scores of the family; none where none are known.
func (d Definition) Published() []Published { return published()[d.Family] }
