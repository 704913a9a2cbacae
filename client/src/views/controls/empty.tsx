import type { ComponentChildren } from 'preact';
import { Icon, type IconName } from './icon.tsx';

interface Props {
  /** `talk` is the illustration for a chat without messages. */
  readonly picture: IconName | 'talk';
  readonly title: string;
  readonly text: string;
  /** At most one action. */
  readonly children?: ComponentChildren;
}

/** Two bubbles and two people in the colours of the theme. */
function Talk() {
  return (
    <svg class="art" viewBox="0 0 148 104" aria-hidden="true">
      <rect class="a" x="10" y="14" width="86" height="36" rx="16" />
      <path class="l" d="M26 27h48M26 37h30" />
      <rect class="b" x="46" y="58" width="92" height="36" rx="16" />
      <circle class="c" cx="118" cy="28" r="14" />
      <circle class="d" cx="24" cy="76" r="11" />
    </svg>
  );
}

/** Shown instead of an empty list: a picture, a sentence and at most one action. */
export function Empty({ picture, title, text, children }: Props) {
  return (
    <div class="empty">
      {picture === 'talk' ? <Talk /> : <Icon name={picture} />}
      <h3 tabIndex={-1}>{title}</h3>
      <p>{text}</p>
      {children}
    </div>
  );
}
