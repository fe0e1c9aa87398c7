package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// engine is what answers behind the interface.
type engine struct {
	name    string // "vllm", "sglang", "llama.cpp", "tensorrt-llm", or as the server names the models' owner
	version string
	// Fields beyond OpenAI's that it takes; others may refuse a request for them.
	stopIDs, least bool // stop_token_ids, min_tokens
}

// Names of the engines that are known by more than OpenAI's interface.
const (
	vllm     = "vllm"
	sglang   = "sglang"
	llamaCPP = "llama.cpp"
	tensorRT = "tensorrt-llm"
)

// owners are the engines by what /models says of who owns a model.
var owners = map[string]string{"vllm": vllm, "sglang": sglang, "llamacpp": llamaCPP, "tensorrt_llm": tensorRT}

// served is a model of /models.
type served struct {
	ID      string `json:"id"`
	Owner   string `json:"owned_by"`
	Context int    `json:"max_model_len"` // vLLM's and SGLang's
}

// meet asks the server for its models and its engine.
func (r *Runner) meet(ctx context.Context) error {
	var list struct {
		Data []served `json:"data"`
	}
	if err := r.once(ctx, "models", nil, &list); err != nil {
		return err
	}
	model, err := choose(list.Data, r.options.Model)
	if err != nil {
		return err
	}
	r.model = model.ID
	r.engine = engine{name: cmp.Or(owners[model.Owner], model.Owner, "unknown")}
	r.context = model.Context
	switch r.engine.name {
	case vllm, sglang, tensorRT:
		r.engine.stopIDs, r.engine.least = true, true
	}
	return r.ofEngine(ctx)
}

// choose finds the model that is asked for.
func choose(list []served, name string) (served, error) {
	var names []string
	for _, m := range list {
		if m.ID == name {
			return m, nil
		}
		names = append(names, m.ID)
	}
	const most = 20
	shown := strings.Join(names[:min(len(names), most)], ", ")
	if len(names) > most {
		shown += fmt.Sprintf(" and %d more", len(names)-most)
	}
	switch {
	case len(list) == 0:
		return served{}, errors.New("it serves no model")
	case name != "":
		return served{}, fmt.Errorf("it serves no model %q: have %s", name, shown)
	case len(list) > 1:
		return served{}, fmt.Errorf("which model? it serves %s", shown)
	}
	return list[0], nil
}

// ofEngine asks for what engines tell at paths of their own.
func (r *Runner) ofEngine(ctx context.Context) error {
	var about struct {
		Version   string `json:"version"`
		BuildInfo string `json:"build_info"`
		Context   int    `json:"n_ctx"`
		Defaults  struct {
			Context int `json:"n_ctx"`
		} `json:"default_generation_settings"`
	}
	paths := []string{"/version"}
	switch r.engine.name {
	case llamaCPP:
		paths = []string{"/props"}
	case sglang:
		paths = []string{"/server_info", "/get_server_info"} // the latter until 0.5.23 at least, which calls it deprecated
	}
	for i, there := 0, false; !there; i++ {
		if i == len(paths) {
			return nil
		}
		var err error
		if there, err = r.has(ctx, paths[i], nil, &about); err != nil {
			return err
		}
	}
	r.engine.version = cmp.Or(about.Version, about.BuildInfo)
	if r.engine.name == llamaCPP {
		r.context = about.Defaults.Context
	}
	return nil
}

// once asks, patiently, for one JSON value.
func (r *Runner) once(ctx context.Context, path string, body, into any) error {
	_, err := r.persist(ctx, func() error { return r.client.ask(ctx, path, body, into) })
	return err
}

// has is once for what a server may lack.
func (r *Runner) has(ctx context.Context, path string, body, into any) (bool, error) {
	err := r.once(ctx, path, body, into)
	if lacking(err) {
		return false, nil
	}
	return err == nil, err
}

// lacking says that a server answered, and has not what it was asked for.
func lacking(err error) bool {
	var said *StatusError
	if errors.As(err, &said) && (said.Status >= 300 && said.Status < 500 && said.Status != http.StatusTooManyRequests || said.Status == http.StatusNotImplemented) {
		return true
	}
	var other *otherError
	return errors.As(err, &other)
}

func isGone(err error) bool {
	var gone *GoneError
	return errors.As(err, &gone)
}
