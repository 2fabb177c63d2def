// Runs before the first paint, so that a chosen theme does not flash. A file, not an inline script: no CSP hash needed.
try {
  const theme = localStorage.getItem('tailwire.theme');
  if (theme === '"dark"' || theme === '"light"') document.documentElement.dataset.theme = JSON.parse(theme);
} catch {
  // No storage: the system's theme it is.
}
