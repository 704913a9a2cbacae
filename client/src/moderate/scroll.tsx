import type { ComponentChildren } from 'preact';

/** A box that scrolls its content, also by keyboard. */
export function Scroll(props: { readonly label: string; readonly children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset belongs in a form.
    // biome-ignore lint/a11y/noNoninteractiveTabindex: without it no key would scroll it.
    <div class="scroll" tabIndex={0} role="group" aria-label={props.label}>
      {props.children}
    </div>
  );
}
