// Every answer that a panel shows is a resource: the latest question wins, errors can be retried, and an answer is kept
// only while it belongs to the question.
import { Unanswered } from "./client";

export type Question<T> = {
  key: string; // an answer with another key is dropped at once; with the same key it stays until the next one
  ask: (signal: AbortSignal) => Promise<T>;
};

const AGAIN = 3000; // milliseconds after which an unanswered question is asked again

export class Resource<T> {
  value = $state.raw<T | null>(null);
  problem = $state("");
  busy = $state(false);
  #times = $state(0);
  #key: string | null = null;

  // Must be called while a component is set up. `question` is tracked; null: nothing to ask. `wait`: milliseconds.
  constructor(question: () => Question<T> | null, wait = 0) {
    $effect(() => {
      void this.#times;
      return this.#follow(question(), wait);
    });
  }

  retry = (): void => {
    this.#times += 1;
  };

  #follow(question: Question<T> | null, wait: number): (() => void) | undefined {
    if (question?.key !== this.#key) this.value = null;
    this.#key = question?.key ?? null;
    this.busy = question !== null;
    if (!question) {
      this.problem = "";
      return undefined;
    }
    const controller = new AbortController();
    const current = (change: () => void) => {
      if (controller.signal.aborted) return;
      this.busy = false;
      change();
    };
    let timer = setTimeout(() => {
      question.ask(controller.signal).then(
        (answer) => current(() => ((this.value = answer), (this.problem = ""))),
        (error: Error) =>
          current(() => {
            this.problem = error.message;
            if (error instanceof Unanswered) timer = setTimeout(this.retry, AGAIN);
          }),
      );
    }, wait);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }
}
