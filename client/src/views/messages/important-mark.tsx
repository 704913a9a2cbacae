import type { Strings } from '../../strings/strings.ts';
import { Icon } from '../controls/icon.tsx';

/** Marks an important message. */
export const ImportantMark = ({ strings }: { strings: Strings }) => (
  <span class="via">
    <Icon name="important" />
    <span>{strings.text('msg.important')}</span>
  </span>
);
