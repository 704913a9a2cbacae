import type { Context } from '../context.ts';
import { copy } from '../controls/copy.ts';
import { Icon } from '../controls/icon.tsx';

/** The language of a block of code, and the button that copies the code. */
export function codeHead(language: string | undefined, context: Context) {
  return (
    <div class="code-head">
      {language !== undefined && <span>{language}</span>}
      <button
        type="button"
        class="icon"
        tabIndex={-1}
        aria-label={context.strings.text('common.copy')}
        onClick={({ currentTarget }) => {
          // Mentions are shown with current names, so the code is copied as it is shown.
          const code = currentTarget.closest('.code-box')?.querySelector('code');
          copy(code?.textContent ?? '', context);
        }}
      >
        <Icon name="copy" />
      </button>
    </div>
  );
}
