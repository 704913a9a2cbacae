import { Bones } from '../views/controls/bones.tsx';
import { Icon } from '../views/controls/icon.tsx';
import type { DeskContext } from './desk-context.ts';

const lines = ['w30', 'w85', 'w55'];

/** The placeholder of a list that is loading. */
export function ListToCome() {
  return (
    <Bones>
      <ul class="cases bones" aria-hidden="true">
        {[0, 1, 2, 3].map((n) => (
          <li class="case" key={n}>
            <span class="bone avatar" />
            <span>
              {lines.map((width) => (
                <span class={`bone line ${width}`} key={width} />
              ))}
            </span>
          </li>
        ))}
      </ul>
    </Bones>
  );
}

/** Shown when all cases are decided. */
export function AllClear({ title, text }: { readonly title: string; readonly text: string }) {
  return (
    <div class="clear">
      <svg class="art" viewBox="0 0 132 96" aria-hidden="true">
        <rect class="far" x="14" y="20" width="74" height="30" rx="15" />
        <rect class="near" x="48" y="56" width="70" height="28" rx="14" />
        <circle class="disc" cx="104" cy="30" r="17" />
        <path class="tick" d="m96 30.5 5.5 5.5 11-12" />
      </svg>
      <h3 tabIndex={-1}>{title}</h3>
      <p>{text}</p>
    </div>
  );
}

/** Shown next to loaded content if the rest could not be loaded. */
export function RestFailed({
  context: { strings },
  again,
}: {
  readonly context: DeskContext;
  again(): void;
}) {
  return (
    <div class="problem" role="alert">
      <Icon name="alert" />
      <span>{strings.text('details.error')}</span>
      <button type="button" class="link" onClick={again}>
        {strings.text('common.again')}
      </button>
    </div>
  );
}

/** Shown instead of content that could not be loaded. */
export function Failed(props: { readonly context: DeskContext; readonly title: string; again(): void }) {
  const { context, title, again } = props;
  const { strings } = context;
  return (
    <div class="empty" role="alert">
      <Icon name="alert" />
      <h3 tabIndex={-1}>{title}</h3>
      <p>{strings.text('mod.error.text')}</p>
      <button type="button" class="btn primary" onClick={again}>
        {strings.text('common.again')}
      </button>
    </div>
  );
}
