const widths = [
  [30, 70],
  [20, 85],
  [25, 55],
] as const;

/** Placeholders for messages that are loading. */
export function Skeleton() {
  return widths.map(([line, block]) => (
    <div class="group" aria-hidden="true" key={line}>
      <span class="bone avatar" />
      <div class="stack">
        <div class={`bone line w${line}`} />
        <div class={`bone block w${block}`} />
      </div>
    </div>
  ));
}
