// Exchanges a token, or a name and a password, for a session; without this script the
// forms do the same.

const problem = document.getElementById("problem");

for (const form of document.querySelectorAll("form")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.textContent = "";
    const button = form.querySelector("button");
    button.disabled = true; // a password takes a moment to be looked at
    let answer;
    try {
      answer = await fetch("/login", {
        method: "POST",
        body: new URLSearchParams(new FormData(form)),
      });
    } catch {
      problem.textContent = "The server does not answer.";
      return;
    } finally {
      button.disabled = false;
    }
    if (answer.ok) {
      location.assign("/");
      return;
    }
    const { error } = await answer.json().catch(() => ({ error: answer.statusText }));
    problem.textContent = `${error[0].toUpperCase()}${error.slice(1)}.`;
    (form.elements.token ?? form.elements.password).select();
  });
}
