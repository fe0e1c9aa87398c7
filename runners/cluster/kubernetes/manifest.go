package kubernetes

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/snapbench/snapbench/runners/cluster"
)

const (
	// retries is how often Kubernetes starts a part again, after 10 s, 20 s, 40 s: enough
	// for a dead node or two, and a mistake shows within two minutes. The same command
	// submits again what was given up.
	retries = 3
	// silence is how long a node that does not answer keeps its pods, once Kubernetes has
	// found that it does not.
	silence = 10 * time.Second
	// kept is how long a Job that has ended, with its pods' output, can be looked at.
	kept = 7 * 24 * time.Hour
	// grace is the least time that an evicted pod is given to end; Kubernetes' own default.
	grace = 30 * time.Second
	// longest is the longest variable that Linux gives to a program.
	longest = 128<<10 - 1
)

//go:embed job.yaml
var jobText string

//go:embed pod.yaml
var podText string

var templates = func() *template.Template {
	t := template.New("").Funcs(template.FuncMap{"text": quoted, "expanded": expanded})
	template.Must(t.New("job").Parse(jobText))
	template.Must(t.New("pod").Parse(podText))
	return t
}()

// quoted is a value as a JSON string, which YAML reads as the same text.
func quoted(v any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(fmt.Sprint(v))
	return strings.TrimSuffix(b.String(), "\n"), err
}

// expanded is quoted for a place where Kubernetes puts variables for $(NAME), and $ for $$.
func expanded(text string) (string, error) {
	return quoted(strings.ReplaceAll(text, "$", "$$"))
}

// document is what the templates are made of.
type document struct {
	options
	Name, Namespace, Image string
	Claim                  claim
	User, Group            int64
	GPUs                   int
	Nodes                  []pair

	// Of a Job alone.
	Completions, AtOnce, Retries, Count int
	Program, Dir                        string
	Arguments                           []string
	List, Token                         string
	Env, Resources                      []pair
	Secrets                             []string
	Grace, Silence, Kept                int // seconds

	// Of a pod alone.
	Command  []string
	Lifetime int // seconds
}

// newDocument is what Jobs and pods have in common.
func newDocument(w cluster.Work, name string) (d document, err error) {
	o, err := parseOptions(w.EngineArgs)
	if err != nil {
		return d, err
	}
	c, err := parseClaim(w.Claim)
	if err != nil {
		return d, err
	}
	if w.Image == "" {
		return d, errors.New("kubernetes: the parts run in containers: --image NAME, of an image with snapbench on its PATH; the repository's Containerfile makes one")
	}
	if !below(path.Clean(w.Out), c.Dir) {
		return d, fmt.Errorf("the run's folder %s is not below %s, where the pods have claim %s", w.Out, c.Dir, c.Name)
	}
	gpus := o.gpus
	if gpus < 0 {
		if gpus, err = gpusOf(deviceOf(w.Arguments)); err != nil {
			return d, err
		}
	}
	return document{options: o, Name: name, Namespace: o.namespace, Image: w.Image, Claim: c, User: o.user, Group: o.group, GPUs: gpus, Nodes: o.nodes}, nil
}

// Render implements [cluster.Engine]. The same work has the same name, so that applying
// it twice submits it once.
func (engine) Render(w cluster.Work) (string, error) {
	content, err := render(w, "")
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(content))
	return render(w, jobName(w, hex.EncodeToString(sum[:4])))
}

func render(w cluster.Work, name string) (string, error) {
	d, err := newDocument(w, name)
	if err != nil {
		return "", err
	}
	if len(w.Parts) == 0 {
		return "", errors.New("kubernetes: no parts to run")
	}
	d.Completions, d.Count, d.Retries = len(w.Parts), w.Count, retries
	d.AtOnce = cmp.Or(w.AtOnce, len(w.Parts))
	d.Dir = d.Claim.dir(w)
	command := w.Command("auto")
	d.Program, d.Arguments = command[0], command[1:]
	if d.List = listOf(w); len(d.List) > longest {
		return "", fmt.Errorf("kubernetes: the list of %d parts is longer than a program's variable may be: submit all parts, or fewer at a time", len(w.Parts))
	}
	// A folder that this machine does not see has no token of its making; the pods have the
	// same claim, and so the same folder.
	if !w.Unseen {
		d.Token = w.Token
	}
	d.Env, d.Secrets = d.env, d.secrets
	// Requests equal limits: by its limit the program knows how many cores are its own.
	for _, r := range []pair{{"cpu", d.cpu}, {"memory", d.memory}} {
		if r.Value != "" {
			d.Resources = append(d.Resources, r)
		}
	}
	if d.GPUs > 0 {
		d.Resources = append(d.Resources, pair{"nvidia.com/gpu", strconv.Itoa(d.GPUs)})
	}
	d.Grace, d.Silence, d.Kept = seconds(max(w.Grace, grace)), seconds(silence), seconds(kept)
	return d.execute("job")
}

func (d document) execute(name string) (string, error) {
	var b strings.Builder
	err := templates.ExecuteTemplate(&b, name, d)
	return strings.TrimSpace(b.String()) + "\n", err
}

// listOf is which part each index stands for, empty where they are the same.
func listOf(w cluster.Work) string {
	same := len(w.Parts) == w.Count
	texts := make([]string, len(w.Parts))
	for i, p := range w.Parts {
		same = same && p == i
		texts[i] = strconv.Itoa(p)
	}
	if same {
		return ""
	}
	return strings.Join(texts, ",")
}

func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

// jobName is a name of at most 40+9 characters: Kubernetes appends an index of up to five
// digits to it, and allows 63.
func jobName(w cluster.Work, mark string) string { return w.Name + "-" + mark }

// indexOf is the Job's index that stands for a part.
func indexOf(w cluster.Work, part int) (int, bool) {
	i := slices.Index(w.Parts, part)
	return i, i >= 0
}
