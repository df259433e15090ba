// Waiting for what should happen, with a deadline that says what did not.

/** How long anything may take that has no time of its own, in milliseconds. */
export const DEADLINE = 8_000;

const LOOK_AGAIN = 20;

/** Looks again and again until `check` gives something true; returns it. For state that nobody announces. */
export async function until(check, what, deadline = DEADLINE) {
  const end = performance.now() + deadline;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (performance.now() > end) throw new Error(`within ${deadline} ms it was not so that ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN));
  }
}

/** The promise's value, or an error that names `what` after the deadline. */
export async function within(promise, what, deadline = DEADLINE) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`within ${deadline} ms there was no ${what}`)), deadline);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
