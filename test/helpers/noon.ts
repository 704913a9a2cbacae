const hoursToNoon = 12 - new Date().getUTCHours();
/** A time zone in which it is noon now, outside of quiet hours. */
export const noon =
  hoursToNoon === 0 ? 'Etc/GMT' : `Etc/GMT${hoursToNoon > 0 ? '-' : '+'}${Math.abs(hoursToNoon)}`;
