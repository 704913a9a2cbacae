const hoursToNoon = 12 - new Date().getUTCHours();
/** A time zone where it is noon now, so that nobody has quiet hours. */
export const noon =
  hoursToNoon === 0 ? 'Etc/GMT' : `Etc/GMT${hoursToNoon > 0 ? '-' : '+'}${Math.abs(hoursToNoon)}`;
