const widths = [70, 85, 55];

/** Placeholders for messages that are loading. */
export function Skeleton() {
  return widths.map((width) => (
    <div class="group" aria-hidden="true" key={width}>
      <span class="bone avatar" />
      <div class="stack">
        <div class="bone line w30" />
        <div class={`bone block w${width}`} />
      </div>
    </div>
  ));
}
