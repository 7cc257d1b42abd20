// Exchanges a token for a session; without this script the form does the same.

const form = document.getElementById("login");
const problem = document.getElementById("problem");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  problem.textContent = "";
  let answer;
  try {
    answer = await fetch("/login", {
      method: "POST",
      body: new URLSearchParams(new FormData(form)),
    });
  } catch {
    problem.textContent = "The server does not answer.";
    return;
  }
  if (answer.ok) {
    location.assign("/");
    return;
  }
  const { error } = await answer.json().catch(() => ({ error: answer.statusText }));
  problem.textContent = `${error[0].toUpperCase()}${error.slice(1)}.`;
  form.elements.token.select();
});
