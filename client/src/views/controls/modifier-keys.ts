import type { Strings } from '../../strings/strings.ts';

/** Apple devices use Command for shortcuts, because Control moves the caret there. */
export const isApple = /^(?:Mac|iP)/.test(navigator.platform);

/** Returns the name of the key that is Ctrl on other keyboards, as it is printed on the keyboards of the language. */
export const controlKey = (strings: Strings): string => (isApple ? '⌘' : strings.text('keys.control'));
