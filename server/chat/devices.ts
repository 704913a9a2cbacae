import type { Answers, RequestPayload } from '../wire/events.ts';
import type { Chat } from './chat.ts';
import type { Connection } from './model.ts';

export function mayRegister({ devices }: Chat, { token }: RequestPayload<'device:register'>): boolean {
  return devices?.takes[token === undefined ? 'browsers' : 'apps'] ?? false;
}

/** Lists the user's devices, even if push is disabled, because users may see and delete the data stored about them. */
export async function listDevices(
  { history }: Chat,
  { person }: Connection,
): Promise<Answers['device:list']> {
  const devices = await history.read.devices({ user: person.user.id });
  return {
    devices: devices.map(({ id, kind, name, at }) => ({
      id,
      kind,
      name,
      at,
    })),
  };
}

export async function removeDevice(
  { history }: Chat,
  { person }: Connection,
  { id }: RequestPayload<'device:remove'>,
): Promise<Answers['device:remove']> {
  await history.write.removeDevice({ id, user: person.user.id });
  return {};
}
