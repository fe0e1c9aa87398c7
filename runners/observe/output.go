package observe

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/snapbench/snapbench/plots"
	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/local"
)

// Output says where a study goes.
type Output struct {
	Command, Version string // what observes, for the report
	Folder           string // for observe.json and pictures; empty: none
	JSON             bool   // print what observe.json holds, in place of the table
}

// Origin says which model was studied, with what and where.
type Origin struct {
	Command  string    `json:"command"`
	Version  string    `json:"version"`
	Started  time.Time `json:"started"`
	CPU      string    `json:"cpu"`
	Model    string    `json:"model"`
	Revision string    `json:"revision,omitempty"`
	Rope     string    `json:"rope,omitempty"` // scaling of the rotation in place of the model's own
	About    string    `json:"device"`
}

// Subject names the model and the scaling of its rotation, where that was set.
func (o *Origin) Subject() string {
	if o.Rope != "" {
		return o.Model + ", rope " + o.Rope
	}
	return o.Model
}

// OriginOf is the origin of a study that begins.
func OriginOf(opened *local.Opened) Origin {
	about := opened.Engines[0].Describe()
	return Origin{
		Started: time.Now().UTC(), CPU: runners.Processor(), Model: opened.Name, Revision: opened.Revision, Rope: opened.Rope,
		About: about.Device + ": " + about.About,
	}
}

// Asked notes what observes.
func (o *Origin) Asked(by Output) { o.Command, o.Version = by.Command, by.Version }

// Shown is a study's report.
type Shown interface {
	Asked(by Output)
	Table(w io.Writer) error
	Figures() []plots.Figure
}

// Study studies a model that is open.
type Study func(ctx context.Context, opened *local.Opened, say func(string, ...any)) (Shown, error)

// Show opens the model, runs a study, prints it, and saves it where there is a folder.
func Show(ctx context.Context, w io.Writer, o local.Options, to Output, say func(string, ...any), study Study) error {
	if err := CheckDevice(o.Device); err != nil {
		return err
	}
	if to.Folder != "" { // before minutes are counted that could not be written down
		leave, err := results.MakeFolder(to.Folder)
		if err != nil {
			return err
		}
		defer leave()
	}
	opened, err := local.Open(ctx, o, say)
	if err != nil {
		return err
	}
	defer opened.Close()
	r, err := study(ctx, opened, say)
	if err != nil {
		return err
	}
	if r.Asked(to); to.JSON {
		err = json.NewEncoder(w).Encode(r)
	} else {
		err = r.Table(w)
	}
	if err != nil || to.Folder == "" {
		return err
	}
	pictures, err := Save(to.Folder, r)
	say("in %s: observe.json and %d files of pictures", to.Folder, len(pictures))
	return err
}

// Save writes observe.json and the pictures, whose paths it returns.
func Save(dir string, r Shown) (pictures []string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	data, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	if err := results.WriteBytes(filepath.Join(dir, "observe.json"), append(data, '\n')); err != nil {
		return nil, err
	}
	return plots.Write(dir, r.Figures())
}
