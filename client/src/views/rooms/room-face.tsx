import { colors, hue } from '../../../../server/wire/avatar.ts';
import type { RoomSummary } from '../../../../server/wire/events.ts';
import { Icon } from '../controls/icon.tsx';
import { Avatar, cachedInitials } from '../people/avatar.tsx';

type Face = Pick<RoomSummary, 'id' | 'name' | 'kind' | 'with' | 'color' | 'emoji' | 'picture'>;

/**
 * The picture of a room: the avatar of a direct room's peer, otherwise a tile in its colour with its emoji or
 * initials, to which `RoomPictures` adds the picture. A private room has a small lock. Screen readers ignore it, because the room's name is always next to it.
 *
 * @param size - a class of `.avatar`
 */
export function RoomFace({ summary, size = '' }: { summary: Face; size?: string }) {
  const { id, name, kind, with: peer, color, emoji, picture } = summary;
  if (kind === 'direct') return <Avatar user={peer ?? { id, name }} kind={size} />;
  const hueClass = color === undefined ? hue(id) : `h${colors.indexOf(color)}`;
  return (
    <span class={`tile ${hueClass} ${size}`.trim()} data-picture={picture} aria-hidden="true">
      {emoji === undefined ? <b>{cachedInitials(name)}</b> : <span>{emoji}</span>}
      {kind === 'private' && <Icon name="lock" />}
    </span>
  );
}
