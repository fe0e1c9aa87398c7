package modeltest

// compared counts what was compared.
type compared struct{ checkpoints, tensors, heads, logits int }

func (a *compared) add(b compared) {
	a.checkpoints, a.tensors, a.heads, a.logits = a.checkpoints+1, a.tensors+b.tensors, a.heads+b.heads, a.logits+b.logits
}
