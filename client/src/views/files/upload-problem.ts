import type { Upload } from '../../chat/uploads.ts';
import type { Context } from '../context.ts';
import { fileSize } from './file-size.ts';

/** Types that the server rejects because browsers do not show them, and the format to send instead. */
const CONVERTED: readonly (readonly [kind: string, other: string, form: RegExp])[] = [
  ['HEIC', 'JPEG', /^image\/hei[cf]|\.hei[cf]$/i],
  ['QuickTime', 'MP4', /^video\/quicktime|\.(mov|qt)$/i],
];

/** Returns why a file is not uploaded. */
export function uploadProblem(
  { chat, strings }: Pick<Context, 'chat' | 'strings'>,
  { problem, name, type }: Pick<Upload, 'problem' | 'name' | 'type'>,
): string {
  if (problem === 'tooLarge')
    return strings.text('file.tooLarge', { size: fileSize(chat.limits.file, strings) });
  if (problem === 'busy') return strings.text('file.busy');
  if (problem === 'tooMany') return strings.text('file.tooMany', { n: chat.limits.files });
  if (problem === 'limit') return strings.text('file.pixels');
  if (problem === 'folder') return strings.text('file.folder');
  if (problem === 'damaged') return strings.text('file.damaged');
  if (problem !== 'type') return strings.text('file.failed');
  const [kind, other] = CONVERTED.find(([, , form]) => form.test(`${type} ${name}`)) ?? [];
  return kind === undefined || other === undefined
    ? strings.text('file.type')
    : strings.text('file.convert', { kind, other });
}
