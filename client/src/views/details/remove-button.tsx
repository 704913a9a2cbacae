interface Props {
  /** What it removes, for screen readers. */
  readonly label: string;
  readonly text: string;
  remove(): void;
}

/** A button that removes a value. The button that chooses the value must follow it. */
export function RemoveButton({ label, text, remove }: Props) {
  return (
    <button
      type="button"
      class="btn"
      aria-label={`${label}: ${text}`}
      onClick={({ currentTarget: { nextElementSibling: chooser } }) => {
        // The removal removes this button too, so the focus must move.
        (chooser as HTMLElement).focus();
        remove();
      }}
    >
      {text}
    </button>
  );
}
