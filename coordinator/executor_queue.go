package coordinator

import "container/heap"

// stepQueue is a queue of steps in which the one with the highest rank comes
// first, and of equal ones the one with the lowest number.
type stepQueue struct {
	ranks []int // of all steps
	steps stepHeap
}

func (q *stepQueue) len() int { return len(q.steps) }

func (q *stepQueue) push(step int) { heap.Push(&q.steps, rankedStep{q.ranks[step], step}) }

func (q *stepQueue) pop() int { return heap.Pop(&q.steps).(rankedStep).step }

type rankedStep struct{ rank, step int }

type stepHeap []rankedStep

func (h stepHeap) Len() int { return len(h) }

func (h stepHeap) Less(i, j int) bool {
	if h[i].rank != h[j].rank {
		return h[i].rank > h[j].rank
	}
	return h[i].step < h[j].step
}

func (h stepHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

func (h *stepHeap) Push(step any) { *h = append(*h, step.(rankedStep)) }

func (h *stepHeap) Pop() any {
	last := len(*h) - 1
	step := (*h)[last]
	*h = (*h)[:last]
	return step
}
