import type { ComponentChildren } from 'preact';
import { Icon, type IconName } from './icon.tsx';

interface Props {
  readonly picture: IconName;
  readonly title: string;
  readonly text: string;
  /** At most one action. */
  readonly children?: ComponentChildren;
}

/** In place of a list that has nothing in it: a picture, a sentence, at most one action. */
export function Empty({ picture, title, text, children }: Props) {
  return (
    <div class="empty">
      <Icon name={picture} />
      <h3 tabIndex={-1}>{title}</h3>
      <p>{text}</p>
      {children}
    </div>
  );
}
