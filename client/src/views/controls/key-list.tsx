/** Keyboard shortcuts, each with what it does. */
export function KeyList({ keys }: { readonly keys: readonly (readonly [readonly string[], string])[] }) {
  return (
    <dl class="key-list">
      {keys.map(([names, words]) => (
        <div key={words}>
          <dt>
            {names.map((name) => (
              <kbd key={name}>{name}</kbd>
            ))}
          </dt>
          <dd>{words}</dd>
        </div>
      ))}
    </dl>
  );
}
