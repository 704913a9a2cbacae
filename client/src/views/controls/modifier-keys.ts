/** Apple devices use Command for shortcuts, because Control moves the caret there. */
export const isApple = /^(?:Mac|iP)/.test(navigator.platform);

/** The name of the key that is Ctrl on other keyboards. */
export const controlKey = isApple ? '⌘' : 'Ctrl';
