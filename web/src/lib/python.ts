// The same question in Python.
import { turned, type State } from "./state.svelte";

export function pythonOf(state: State, id: string, sae: string, steered: boolean): string {
  const opened = `index = open_index(${JSON.stringify(state.index || "INDEX")})  # the folder of the index\n`;
  const query = JSON.stringify(state.query);
  if (!steered)
    return `from xetrieval.index import open_index\n\n${opened}answer = index.why(${query}, ${JSON.stringify(id)})\nprint(answer.explanation)\n`;
  const items = Object.entries(turned(state.factors)).map(([feature, factor]) => `${feature}: ${factor}`);
  return (
    `from xetrieval.index import open_index\nfrom xetrieval.steer import SteeringProfile\n\n${opened}` +
    `profile = SteeringProfile({${items.join(", ")}}, ${JSON.stringify(sae)}, kind=${JSON.stringify(state.kind)})\n` +
    `hits = index.search(${query}, ${state.k}, steer=profile)\n` +
    `print(next(hit.explanation for hit in hits if hit.doc_id == ${JSON.stringify(id)}))\n`
  );
}
